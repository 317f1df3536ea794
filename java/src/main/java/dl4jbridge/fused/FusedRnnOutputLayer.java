package dl4jbridge.fused;

import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.gradient.DefaultGradient;
import org.deeplearning4j.nn.gradient.Gradient;
import org.deeplearning4j.nn.layers.recurrent.RnnOutputLayer;
import org.deeplearning4j.nn.params.DefaultParamInitializer;
import org.deeplearning4j.nn.workspace.ArrayType;
import org.deeplearning4j.nn.workspace.LayerWorkspaceMgr;
import org.deeplearning4j.util.TimeSeriesUtils;
import org.nd4j.common.primitives.Pair;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * The layer of {@link FusedRnnOutput}. A backward pass without a mask, and with one-hot labels under a softmax,
 * goes through an {@link OutputLoss}, which computes the score too; everything else is stock.
 */
public final class FusedRnnOutputLayer extends RnnOutputLayer {
    private static final long serialVersionUID = 1L;
    private static final String W = DefaultParamInitializer.WEIGHT_KEY;
    private static final String B = DefaultParamInitializer.BIAS_KEY;

    private final transient OutputLoss loss;
    /** Input and labels of the last backward pass if it left their score, else null. */
    private transient INDArray scoredInput;
    private transient INDArray scoredLabels;
    private transient boolean computed;

    FusedRnnOutputLayer(NeuralNetConfiguration conf, DataType dataType) {
        super(conf, dataType);
        loss = ((FusedRnnOutput) layerConf()).loss();
    }

    /**
     * Sets the factors of {@link SquaredError} for all later segments. DL4J divides the gradient by the batch afterwards.
     *
     * @throws IllegalArgumentException if a sigmoid output is given more than {@code square}
     */
    public void weightSquaredError(double square, double preEmphasis, double offset, int from) {
        ((SquaredError) loss).setWeights(new SquaredError.Weights(square, preEmphasis, offset, from));
    }

    /** The loss and the weights are for {@link FusedStack}. */
    OutputLoss loss() {
        return loss;
    }

    OutputLoss.Weights weights() {
        return new OutputLoss.Weights(getParam(W), getParam(B));
    }

    OutputLoss.Weights gradients() {
        return new OutputLoss.Weights(gradientViews.get(W), gradientViews.get(B));
    }

    @Override
    public Pair<Gradient, INDArray> backpropGradient(INDArray epsilon, LayerWorkspaceMgr workspaces) {
        assertInputSet(true);
        dropScore();
        computed = covers() && loss.read(labels);
        if (!computed) {
            return super.backpropGradient(epsilon, workspaces);
        }
        INDArray x = droppedOut(input.castTo(dataType), workspaces);
        INDArray inputRows = workspaces.createUninitialized(
                ArrayType.ACTIVATION_GRAD, dataType, new long[] {x.size(2), x.size(0), x.size(1)}, 'c');
        loss.backward(x, new OutputLoss.Weights(getParamWithNoise(W, true, workspaces),
                getParamWithNoise(B, true, workspaces)), gradients(), inputRows);
        if (layerConf().getIDropout() == null) {
            scoredInput = input;
            scoredLabels = labels;
        } else {
            backpropDropOutIfPresent(inputRows.reshape('c', x.size(2) * x.size(0), x.size(1)));
        }
        weightNoiseParams.clear();
        Gradient gradient = new DefaultGradient();
        gradient.gradientForVariable().put(W, gradientViews.get(W));
        gradient.gradientForVariable().put(B, gradientViews.get(B));
        return new Pair<>(gradient, Sequence.view(inputRows));
    }

    /** The input after dropout, with the random numbers of stock: on [batch * steps, size] in 'f' order. */
    private INDArray droppedOut(INDArray x, LayerWorkspaceMgr workspaces) {
        if (layerConf().getIDropout() == null) {
            return x;
        }
        INDArray all = input;
        input = TimeSeriesUtils.reshape3dTo2d(x.dup('f'), workspaces, ArrayType.BP_WORKING_MEM);
        applyDropOutIfNecessary(true, workspaces);
        INDArray dropped = input.dup('c').reshape('c', x.size(2), x.size(0), x.size(1));
        input = all;
        return Sequence.view(dropped);
    }

    private boolean covers() {
        return maskArray == null && layerConf().getWeightNoise() == null
                && input.rank() == 3 && labels.rank() == 3
                && input.size(0) == labels.size(0) && input.size(2) == labels.size(2)
                && labels.size(1) == layerConf().getNOut();
    }

    @Override
    public double computeScore(double regularization, boolean training, LayerWorkspaceMgr workspaces) {
        if (!hasScore()) {
            return super.computeScore(regularization, training, workspaces);
        }
        score = (conf().isMiniBatch() ? loss.loss() / getInputMiniBatchSize() : loss.loss()) + regularization;
        dropScore();
        return score;
    }

    private boolean hasScore() {
        return scoredInput != null && scoredInput == input && scoredLabels == labels && maskArray == null;
    }

    /** Accuracy in the last backward pass, 0 to 1; NaN if stock computed that pass or there are no classes. */
    public double accuracy() {
        return computed ? loss.accuracy() : Double.NaN;
    }

    @Override
    public void clear() {
        super.clear();
        dropScore();
    }

    private void dropScore() {
        scoredInput = null;
        scoredLabels = null;
    }
}
