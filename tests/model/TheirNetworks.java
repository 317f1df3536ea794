import java.io.File;
import java.io.IOException;
import java.util.Map;
import org.deeplearning4j.nn.conf.BackpropType;
import org.deeplearning4j.nn.conf.ComputationGraphConfiguration;
import org.deeplearning4j.nn.conf.ConvolutionMode;
import org.deeplearning4j.nn.conf.GradientNormalization;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.constraint.MaxNormConstraint;
import org.deeplearning4j.nn.conf.distribution.NormalDistribution;
import org.deeplearning4j.nn.conf.distribution.UniformDistribution;
import org.deeplearning4j.nn.conf.dropout.AlphaDropout;
import org.deeplearning4j.nn.conf.dropout.GaussianNoise;
import org.deeplearning4j.nn.conf.graph.MergeVertex;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.AbstractLSTM;
import org.deeplearning4j.nn.conf.layers.ActivationLayer;
import org.deeplearning4j.nn.conf.layers.BatchNormalization;
import org.deeplearning4j.nn.conf.layers.Convolution1DLayer;
import org.deeplearning4j.nn.conf.layers.ConvolutionLayer;
import org.deeplearning4j.nn.conf.layers.Deconvolution2D;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.DepthwiseConvolution2D;
import org.deeplearning4j.nn.conf.layers.DropoutLayer;
import org.deeplearning4j.nn.conf.layers.GlobalPoolingLayer;
import org.deeplearning4j.nn.conf.layers.GravesLSTM;
import org.deeplearning4j.nn.conf.layers.LSTM;
import org.deeplearning4j.nn.conf.layers.Layer;
import org.deeplearning4j.nn.conf.layers.LocalResponseNormalization;
import org.deeplearning4j.nn.conf.layers.LocallyConnected2D;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.conf.layers.PReLULayer;
import org.deeplearning4j.nn.conf.layers.PoolingType;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.nn.conf.layers.SeparableConvolution2D;
import org.deeplearning4j.nn.conf.layers.SubsamplingLayer;
import org.deeplearning4j.nn.conf.layers.Upsampling2D;
import org.deeplearning4j.nn.conf.layers.ZeroPaddingLayer;
import org.deeplearning4j.nn.conf.layers.convolutional.Cropping2D;
import org.deeplearning4j.nn.conf.layers.misc.ElementWiseMultiplicationLayer;
import org.deeplearning4j.nn.conf.layers.misc.FrozenLayer;
import org.deeplearning4j.nn.conf.layers.recurrent.Bidirectional;
import org.deeplearning4j.nn.conf.layers.recurrent.LastTimeStep;
import org.deeplearning4j.nn.conf.layers.recurrent.SimpleRnn;
import org.deeplearning4j.nn.conf.layers.samediff.SameDiffLambdaLayer;
import org.deeplearning4j.nn.conf.weightnoise.DropConnect;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.weights.WeightInit;
import org.deeplearning4j.util.ModelSerializer;
import org.nd4j.autodiff.samediff.SDVariable;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.MultiDataSet;
import org.nd4j.linalg.dataset.api.preprocessor.NormalizerStandardize;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;
import org.nd4j.linalg.learning.config.AMSGrad;
import org.nd4j.linalg.learning.config.AdaMax;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.learning.config.IUpdater;
import org.nd4j.linalg.learning.config.Nesterovs;
import org.nd4j.linalg.learning.config.RmsProp;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;
import org.nd4j.linalg.schedule.ExponentialSchedule;
import org.nd4j.linalg.schedule.ScheduleType;
import org.nd4j.linalg.schedule.StepSchedule;

/**
 * Networks as people make them with DL4J, without any class of dl4j_bridge, and what plain DL4J computes with them.
 *
 * <p>Usage: java -cp DL4J_JARS TheirNetworks.java FOLDER. Writes NAME.zip and, in NAME/, arrays as NumPy's files:
 * inputs x0, x1, ..., labels y0, ..., outputs, outputs of rnnTimeStep, the score, and all parameters after one call of
 * fit.
 */
public final class TheirNetworks {
    private final File folder;

    private TheirNetworks(String folder) {
        this.folder = new File(folder);
    }

    public static void main(String[] args) throws IOException {
        TheirNetworks all = new TheirNetworks(args[0]);
        Nd4j.getRandom().setSeed(7);
        all.characters("graves77", new GravesLSTM.Builder(), 77, new RmsProp(0.01));
        all.characters("lstm256", new LSTM.Builder(), 256, new Adam(0.01));
        all.dense();
        all.pictures();
        all.mixtures();
        all.graph();
        all.recurrentGraph();
        all.refused();
    }

    /** DL4J's character example: two layers of {@code cell}, classes one-hot, tBPTT. */
    private void characters(String name, AbstractLSTM.Builder<?> cell, int classes, IUpdater updater)
            throws IOException {
        MultiLayerConfiguration configuration = new NeuralNetConfiguration.Builder().seed(12345).l2(0.0001)
                .weightInit(WeightInit.XAVIER).updater(updater).list()
                .layer(cell.nIn(classes).nOut(24).activation(Activation.TANH).build())
                .layer(cell.nIn(24).nOut(16).activation(Activation.TANH).build())
                .layer(new RnnOutputLayer.Builder(LossFunction.MCXENT).activation(Activation.SOFTMAX).nIn(16)
                        .nOut(classes).build())
                .backpropType(BackpropType.TruncatedBPTT).tBPTTLength(5).build();
        MultiLayerNetwork net = new MultiLayerNetwork(configuration);
        net.init();
        INDArray x = oneHot(2, classes, 12);
        INDArray y = oneHot(2, classes, 12);
        warm(net, x, y);
        record(name, net, x, y);
    }

    /** DOUBLE, with a schedule, a distribution, dropout-free regularisation and a constraint. */
    private void dense() throws IOException {
        MultiLayerConfiguration configuration = new NeuralNetConfiguration.Builder().seed(1).dataType(DataType.DOUBLE)
                .updater(new Nesterovs(new ExponentialSchedule(ScheduleType.ITERATION, 0.1, 0.99), 0.9)).l1(1e-4)
                .gradientNormalization(GradientNormalization.ClipElementWiseAbsoluteValue)
                .gradientNormalizationThreshold(1.0).constrainWeights(new MaxNormConstraint(2.0, 1)).list()
                .layer(new DenseLayer.Builder().nIn(6).nOut(8).activation(Activation.RELU)
                        .dist(new NormalDistribution(0, 0.5)).build())
                .layer(new BatchNormalization.Builder().nOut(8).build())
                .layer(new OutputLayer.Builder(LossFunction.NEGATIVELOGLIKELIHOOD).activation(Activation.SOFTMAX).nIn(8)
                        .nOut(3).build())
                .build();
        MultiLayerNetwork net = new MultiLayerNetwork(configuration);
        net.init();
        INDArray x = Nd4j.rand(DataType.DOUBLE, 5, 6);
        INDArray y = Nd4j.eye(3).castTo(DataType.DOUBLE).get(NDArrayIndex.indices(0, 1, 2), NDArrayIndex.all());
        y = Nd4j.vstack(y, y.getRow(2, true), y.getRow(0, true));
        warm(net, x, y);
        record("dense", net, x, y);
        NormalizerStandardize normalizer = new NormalizerStandardize();
        normalizer.fit(new DataSet(x, y));
        net.save(file("normalized.zip"), true);
        ModelSerializer.addNormalizerToModel(file("normalized.zip"), normalizer);
    }

    private void pictures() throws IOException {
        MultiLayerConfiguration configuration = new NeuralNetConfiguration.Builder().seed(2).updater(new Adam(0.01))
                .list()
                .layer(new ConvolutionLayer.Builder(3, 3).nOut(4).activation(Activation.RELU).build())
                .layer(new SubsamplingLayer.Builder(PoolingType.MAX).kernelSize(2, 2).stride(2, 2).build())
                .layer(new DenseLayer.Builder().nOut(10).activation(Activation.LEAKYRELU).build())
                .layer(new OutputLayer.Builder(LossFunction.MSE).activation(Activation.IDENTITY).nOut(2).build())
                .setInputType(InputType.convolutional(8, 8, 2)).build();
        MultiLayerNetwork net = new MultiLayerNetwork(configuration);
        net.init();
        record("pictures", net, Nd4j.rand(DataType.FLOAT, 3, 2, 8, 8), Nd4j.rand(3, 2));
    }

    /** Many kinds of layer, each of which must be permitted by name; only their outputs are recorded. */
    private void mixtures() throws IOException {
        MultiLayerConfiguration sequence = new NeuralNetConfiguration.Builder().seed(5).updater(new AMSGrad(0.01))
                .weightNoise(new DropConnect(0.9)).list()
                .layer(new Convolution1DLayer.Builder(3).convolutionMode(ConvolutionMode.Same).nOut(5)
                        .dropOut(new GaussianNoise(0.1)).build())
                .layer(new Bidirectional(Bidirectional.Mode.CONCAT, new LSTM.Builder().nOut(4).build()))
                .layer(new SimpleRnn.Builder().nOut(6).activation(Activation.SOFTSIGN).build())
                .layer(new LastTimeStep(new GravesLSTM.Builder().nOut(4).build()))
                .layer(new FrozenLayer(new DenseLayer.Builder().nOut(4).dropOut(0.5)
                        .weightInit(new UniformDistribution(-1, 1)).build()))
                .layer(new ElementWiseMultiplicationLayer.Builder().nIn(4).nOut(4).build())
                .layer(new DropoutLayer(new AlphaDropout(0.9))).layer(new ActivationLayer(Activation.GELU))
                .layer(new OutputLayer.Builder(LossFunction.XENT).activation(Activation.SIGMOID).nOut(2).build())
                .setInputType(InputType.recurrent(3, 9)).build();
        MultiLayerConfiguration picture = new NeuralNetConfiguration.Builder().seed(6)
                .updater(new AdaMax(new StepSchedule(ScheduleType.EPOCH, 0.1, 0.5, 2))).list()
                .layer(new ZeroPaddingLayer(1, 1))
                .layer(new SeparableConvolution2D.Builder(3, 3).nOut(4).activation(Activation.SWISH).build())
                .layer(new LocalResponseNormalization()).layer(new Upsampling2D.Builder(2).build())
                .layer(new Cropping2D(1, 1)).layer(new DepthwiseConvolution2D.Builder(2, 2).depthMultiplier(2).build())
                .layer(new BatchNormalization()).layer(new PReLULayer.Builder().inputShape(8, 13, 13).build())
                .layer(new Deconvolution2D.Builder(2, 2).nOut(3).build())
                .layer(new GlobalPoolingLayer(PoolingType.AVG))
                .layer(new OutputLayer.Builder(LossFunction.MEAN_ABSOLUTE_ERROR).activation(Activation.HARDSIGMOID)
                        .nOut(2).build())
                .setInputType(InputType.convolutionalFlat(8, 8, 2)).build();
        outputs("sequence", sequence, Nd4j.rand(DataType.FLOAT, 2, 3, 9));
        outputs("flat-picture", picture, Nd4j.rand(DataType.FLOAT, 2, 128));
    }

    private void outputs(String name, MultiLayerConfiguration configuration, INDArray x) throws IOException {
        MultiLayerNetwork net = new MultiLayerNetwork(configuration);
        net.init();
        net.save(file(name + ".zip"), true);
        write(name, Map.of("x0", x, "output0", net.output(x)));
    }

    private void graph() throws IOException {
        ComputationGraphConfiguration configuration = new NeuralNetConfiguration.Builder().seed(3)
                .updater(new Adam(0.01)).graphBuilder().addInputs("left", "right")
                .addLayer("dense.left", new DenseLayer.Builder().nIn(4).nOut(5).activation(Activation.TANH).build(),
                        "left")
                .addLayer("dense.right", new DenseLayer.Builder().nIn(3).nOut(6).activation(Activation.SIGMOID).build(),
                        "right")
                .addVertex("both", new MergeVertex(), "dense.left", "dense.right")
                .addLayer("class", new OutputLayer.Builder(LossFunction.MCXENT).activation(Activation.SOFTMAX).nIn(11)
                        .nOut(3).build(), "both")
                .addLayer("value", new OutputLayer.Builder(LossFunction.MSE).activation(Activation.IDENTITY).nIn(11)
                        .nOut(1).build(), "both")
                .setOutputs("class", "value").build();
        ComputationGraph net = new ComputationGraph(configuration);
        net.init();
        INDArray[] x = {Nd4j.rand(3, 4), Nd4j.rand(3, 3)};
        INDArray[] y = {Nd4j.eye(3), Nd4j.rand(3, 1)};
        record("graph", net, x, y);
    }

    private void recurrentGraph() throws IOException {
        ComputationGraphConfiguration configuration = new NeuralNetConfiguration.Builder().seed(4)
                .updater(new Adam(0.01)).graphBuilder().addInputs("in")
                .addLayer("lstm1", new LSTM.Builder().nIn(5).nOut(7).activation(Activation.TANH).build(), "in")
                .addLayer("out", new RnnOutputLayer.Builder(LossFunction.MSE).activation(Activation.IDENTITY).nIn(7)
                        .nOut(2).build(), "lstm1")
                .setOutputs("out").setInputTypes(InputType.recurrent(5)).backpropType(BackpropType.TruncatedBPTT)
                .tBPTTLength(4).build();
        ComputationGraph net = new ComputationGraph(configuration);
        net.init();
        INDArray[] x = {Nd4j.rand(DataType.FLOAT, 2, 5, 8)};
        INDArray[] y = {Nd4j.rand(DataType.FLOAT, 2, 2, 8)};
        net.fit(x, y);
        record("recurrent-graph", net, x, y);
    }

    /** A layer of the user's own, and layers of DL4J that run SameDiff. */
    private void refused() throws IOException {
        stack("own-layer", new Doubled(), new OutputLayer.Builder(LossFunction.MSE).nIn(4).nOut(2).build());
        stack("own-wrapped", new Bidirectional(Bidirectional.Mode.ADD, new LSTM.Builder().nIn(4).nOut(4).build()),
                new Doubled(), new RnnOutputLayer.Builder(LossFunction.MSE).nIn(4).nOut(2).build());
        MultiLayerConfiguration configuration = new NeuralNetConfiguration.Builder().list()
                .layer(new LocallyConnected2D.Builder().nIn(1).nOut(2).kernelSize(2, 2).setInputSize(4, 4).build())
                .layer(new OutputLayer.Builder(LossFunction.MSE).nOut(2).build())
                .setInputType(InputType.convolutional(4, 4, 1)).build();
        MultiLayerNetwork net = new MultiLayerNetwork(configuration);
        net.init();
        net.save(file("locally-connected.zip"), false);
    }

    private void stack(String name, Layer... layers) throws IOException {
        NeuralNetConfiguration.ListBuilder list = new NeuralNetConfiguration.Builder().list();
        for (Layer layer : layers) {
            list.layer(layer);
        }
        MultiLayerNetwork net = new MultiLayerNetwork(list.build());
        net.init();
        net.save(file(name + ".zip"), false);
    }

    /** A SameDiff lambda, as users write them. */
    public static final class Doubled extends SameDiffLambdaLayer {
        private static final long serialVersionUID = 1;

        @Override
        public SDVariable defineLayer(SameDiff sameDiff, SDVariable input) {
            return input.mul(2.0);
        }

        @Override
        public InputType getOutputType(int layerIndex, InputType inputType) {
            return inputType;
        }
    }

    /** Some updates, so that the updater has a state. */
    private static void warm(MultiLayerNetwork net, INDArray x, INDArray y) {
        for (int i = 0; i < 3; i++) {
            net.fit(x, y);
        }
        net.rnnClearPreviousState();
    }

    private void record(String name, MultiLayerNetwork net, INDArray x, INDArray y) throws IOException {
        net.save(file(name + ".zip"), true);
        write(name, Map.of("x0", x, "y0", y, "output0", net.output(x)));
        if (x.rank() == 3) {
            write(name, Map.of("step0", net.rnnTimeStep(first(x)), "step1", net.rnnTimeStep(next(x))));
            net.rnnClearPreviousState();
        }
        double before = net.score(new DataSet(x, y));
        net.fit(x, y);
        write(name, Map.of("score", Nd4j.createFromArray(before, net.score()), "fitted", net.params()));
    }

    private void record(String name, ComputationGraph net, INDArray[] x, INDArray[] y) throws IOException {
        net.save(file(name + ".zip"), true);
        INDArray[] outputs = net.output(x);
        for (int i = 0; i < x.length; i++) {
            write(name, Map.of("x" + i, x[i], "y" + i, y[i], "output" + i, outputs[i]));
        }
        if (x[0].rank() == 3) {
            write(name, Map.of("step0", net.rnnTimeStep(first(x[0]))[0], "step1", net.rnnTimeStep(next(x[0]))[0]));
            net.rnnClearPreviousState();
        }
        double before = net.score(new MultiDataSet(x, y));
        net.fit(x, y);
        write(name, Map.of("score", Nd4j.createFromArray(before, net.score()), "fitted", net.params()));
    }

    private void write(String name, Map<String, INDArray> arrays) throws IOException {
        for (Map.Entry<String, INDArray> e : arrays.entrySet()) {
            File target = file(name + "/" + e.getKey() + ".npy");
            target.getParentFile().mkdirs();
            Nd4j.writeAsNumpy(e.getValue().dup('c'), target);
        }
    }

    private static INDArray first(INDArray x) {
        return x.get(NDArrayIndex.all(), NDArrayIndex.all(), NDArrayIndex.point(0));
    }

    private static INDArray next(INDArray x) {
        return x.get(NDArrayIndex.all(), NDArrayIndex.all(), NDArrayIndex.interval(1, 4));
    }

    private File file(String name) {
        return new File(folder, name);
    }

    private static INDArray oneHot(int batch, int classes, int steps) {
        INDArray found = Nd4j.create(DataType.FLOAT, new long[] {batch, classes, steps}, 'f');
        for (int b = 0; b < batch; b++) {
            for (int t = 0; t < steps; t++) {
                found.putScalar(b, Nd4j.getRandom().nextInt(classes), t, 1);
            }
        }
        return found;
    }
}
