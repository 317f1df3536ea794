package dl4jbridge.fused;

import dl4jbridge.fused.FusedGravesLSTM.GradientState;
import java.util.HashMap;
import java.util.Map;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.gradient.DefaultGradient;
import org.deeplearning4j.nn.gradient.Gradient;
import org.deeplearning4j.nn.layers.recurrent.GravesLSTM;
import org.deeplearning4j.nn.params.GravesLSTMParamInitializer;
import org.deeplearning4j.nn.workspace.ArrayType;
import org.deeplearning4j.nn.workspace.LayerWorkspaceMgr;
import org.nd4j.common.primitives.Pair;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * The layer of {@link FusedGravesLSTM}: DL4J's calls on one side, {@link Recurrence} on the other.
 *
 * <p>A forward pass in training leaves a record, and the backward pass uses it once. Any other forward pass, clear()
 * and any change of the state drop it; a backward pass without a record makes the forward pass again, from the state
 * that the last one in training started from.
 */
@SuppressWarnings("deprecation") // GravesLSTM
public final class FusedGravesLSTMLayer extends GravesLSTM {
    private static final long serialVersionUID = 1L;
    private static final String W = GravesLSTMParamInitializer.INPUT_WEIGHT_KEY;
    private static final String RW = GravesLSTMParamInitializer.RECURRENT_WEIGHT_KEY;
    private static final String B = GravesLSTMParamInitializer.BIAS_KEY;

    private final transient Recurrence recurrence;
    /** What the record is of; null without one. */
    private transient INDArray recordedInput;
    private transient INDArray recordedMask;
    private transient INDArray firstHidden;
    private transient INDArray firstCell;
    private transient boolean inputGradientUnused;

    FusedGravesLSTMLayer(NeuralNetConfiguration conf, DataType dataType) {
        super(conf, dataType);
        recurrence = new Recurrence(fusedConf().getMath());
    }

    private FusedGravesLSTM fusedConf() {
        return (FusedGravesLSTM) layerConf();
    }

    /**
     * Lets a first layer return no input gradient. Only for a caller that throws it away whatever it is, such as
     * MultiLayerNetwork.computeGradientAndScore.
     */
    public void setInputGradientUnused(boolean unused) {
        inputGradientUnused = unused;
    }

    /** What a {@link FusedStack} needs of this layer; its state is that of tBPTT. */
    Recurrence recurrence() {
        return recurrence;
    }

    Recurrence.Weights weights() {
        return new Recurrence.Weights(getParam(W), getParam(RW), getParam(B));
    }

    Recurrence.Weights gradients() {
        return new Recurrence.Weights(gradientViews.get(W), gradientViews.get(RW), gradientViews.get(B));
    }

    boolean carriesGradientState() {
        return fusedConf().getGradientState() == GradientState.CARRIED;
    }

    int size() {
        return (int) fusedConf().getNOut();
    }

    INDArray hidden() {
        return stateMap.get(STATE_KEY_PREV_ACTIVATION);
    }

    INDArray cell() {
        return stateMap.get(STATE_KEY_PREV_MEMCELL);
    }

    /** Takes the state that the recurrence ended with for the next segment's. */
    void goOn() {
        rnnSetPreviousState(lastState());
    }

    @Override
    public INDArray activate(INDArray input, boolean training, LayerWorkspaceMgr workspaces) {
        setInput(input, workspaces);
        return activate(training, workspaces);
    }

    @Override
    public INDArray activate(boolean training, LayerWorkspaceMgr workspaces) {
        return forward(null, null, training, workspaces);
    }

    @Override
    public INDArray rnnTimeStep(INDArray input, LayerWorkspaceMgr workspaces) {
        setInput(input, workspaces);
        INDArray output = forward(hidden(), cell(), false, workspaces);
        stateMap.putAll(lastState());
        return output;
    }

    @Override
    public INDArray rnnActivateUsingStoredState(
            INDArray input, boolean training, boolean storeLastForTBPTT, LayerWorkspaceMgr workspaces) {
        setInput(input, workspaces);
        INDArray output = forward(hidden(), cell(), training, workspaces);
        if (storeLastForTBPTT) {
            tBpttStateMap.putAll(lastState());
        }
        return output;
    }

    private Map<String, INDArray> lastState() {
        Map<String, INDArray> state = new HashMap<>();
        state.put(STATE_KEY_PREV_ACTIVATION, recurrence.lastHidden());
        state.put(STATE_KEY_PREV_MEMCELL, recurrence.lastCell());
        return state;
    }

    private INDArray forward(INDArray h0, INDArray c0, boolean training, LayerWorkspaceMgr workspaces) {
        recordedInput = null;
        assertInputSet(false);
        check(input, h0);
        INDArray rows = workspaces.createUninitialized(ArrayType.ACTIVATIONS, dataType,
                new long[] {input.size(2), input.size(0), size()}, 'c');
        compute(h0, c0, training, workspaces, rows);
        if (training) {
            recordedInput = input;
            recordedMask = maskArray;
            firstHidden = h0;
            firstCell = c0;
        }
        return Sequence.view(rows);
    }

    private void compute(INDArray h0, INDArray c0, boolean training, LayerWorkspaceMgr workspaces, INDArray outputs) {
        if (training && !dropoutApplied && layerConf().getIDropout() != null) {
            // Which element gets which random number follows the order of the array; stock layers see 'f'.
            input = workspaces.dup(ArrayType.INPUT, input, 'f');
        }
        applyDropOutIfNecessary(training, workspaces);
        if (input.dataType() != dataType) {
            // The backward pass reads it again, when working memory is long gone.
            input = workspaces.leverageTo(ArrayType.INPUT, input.castTo(dataType).detach());
        }
        recurrence.forward(input, maskArray, h0, c0, weights(training, workspaces),
                size(), outputs);
    }

    void check(INDArray input, INDArray h0) {
        if (input.rank() != 3 || input.length() == 0) {
            throw new IllegalStateException("wanted an input of [batch, size, time], found "
                    + java.util.Arrays.toString(input.shape()) + " " + layerId());
        }
        if (input.size(1) != fusedConf().getNIn()) {
            throw new org.deeplearning4j.exception.DL4JInvalidInputException("wanted an input of size "
                    + fusedConf().getNIn() + ", found " + java.util.Arrays.toString(input.shape()) + " " + layerId());
        }
        if (h0 != null && h0.size(0) != input.size(0)) {
            throw new IllegalStateException("a state of batch " + h0.size(0) + " for an input of batch " + input.size(0)
                    + ": rnnClearPreviousState between batches " + layerId());
        }
    }

    private Recurrence.Weights weights(boolean training, LayerWorkspaceMgr workspaces) {
        // In the order in which stock layers draw their noise.
        INDArray recurrent = getParamWithNoise(RW, training, workspaces);
        INDArray input = getParamWithNoise(W, training, workspaces);
        return new Recurrence.Weights(input, recurrent, getParamWithNoise(B, training, workspaces));
    }

    @Override
    public Pair<Gradient, INDArray> backpropGradient(INDArray epsilon, LayerWorkspaceMgr workspaces) {
        assertInputSet(true);
        boolean carried = carriesGradientState();
        boolean recorded = recordedInput != null && recordedInput == input && recordedMask == maskArray;
        if (!recorded || (!carried && firstHidden != null)) {
            compute(carried ? firstHidden : null, carried ? firstCell : null, true, workspaces, null);
        }
        recordedInput = null;
        INDArray inputRows = inputGradientUnused && getIndex() == 0 ? null : workspaces.createUninitialized(
                ArrayType.ACTIVATION_GRAD, dataType, new long[] {input.size(2), input.size(0), input.size(1)}, 'c');
        recurrence.backward(epsilon, weights(true, workspaces), gradients(), inputRows, carried);
        weightNoiseParams.clear();
        Gradient gradient = new DefaultGradient();
        for (String key : new String[] {W, RW, B}) {
            gradient.gradientForVariable().put(key, gradientViews.get(key));
        }
        return new Pair<>(gradient, inputRows == null ? null : throughDropout(Sequence.view(inputRows), workspaces));
    }

    private INDArray throughDropout(INDArray inputGradient, LayerWorkspaceMgr workspaces) {
        if (layerConf().getIDropout() == null) {
            return inputGradient;
        }
        return backpropDropOutIfPresent(workspaces.dup(ArrayType.ACTIVATION_GRAD, inputGradient, 'f'));
    }

    @Override
    public Pair<Gradient, INDArray> tbpttBackpropGradient(INDArray epsilon, int length, LayerWorkspaceMgr workspaces) {
        recordedInput = null;
        return super.tbpttBackpropGradient(epsilon, length, workspaces);
    }

    @Override
    public void rnnSetPreviousState(Map<String, INDArray> state) {
        super.rnnSetPreviousState(state);
        changeState();
    }

    @Override
    public void rnnClearPreviousState() {
        super.rnnClearPreviousState();
        changeState();
    }

    private void changeState() {
        recordedInput = null;
        firstHidden = hidden();
        firstCell = cell();
    }

    @Override
    public void clear() {
        super.clear();
        recordedInput = null;
    }
}
